"""Pictures that wait for a person: sealed, with a time to live, and what people decided."""
