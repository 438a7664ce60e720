"""For tests of plug-ins and pipelines: fakes that fill the slots, sample states, and contract suites.

``fakes`` behave like the real thing at their slot and need no model; ``samples`` builds states without running a
pipeline; ``contracts`` holds what every plug-in has to show, fakes included. Public, but not for production: a fake
release proves nothing.
"""
