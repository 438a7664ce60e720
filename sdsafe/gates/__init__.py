"""What may be asked, and what may leave."""
