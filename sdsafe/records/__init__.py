"""What is kept, and proven later."""
