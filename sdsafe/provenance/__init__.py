"""What is signed, by whom, and trusted why."""
