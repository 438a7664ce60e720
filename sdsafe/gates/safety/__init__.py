"""Classifiers that look at images. They report scores and never decide."""
