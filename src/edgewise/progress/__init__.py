"""What the user sees while something goes on: bars in a terminal, plain lines elsewhere."""
