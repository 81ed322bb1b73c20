"""What Pants asks for by a goal, and the goals of our own."""
