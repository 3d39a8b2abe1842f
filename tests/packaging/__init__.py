"""What is built, what it needs, and who may import what."""
