"""Many sessions at once, mad clouds, and long days."""
