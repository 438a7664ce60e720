"""What policy obliges to: planned before generation, done at its stage, shown from the finished file."""
