"""What `plan` asks beyond one capacity: the choice, the inverse, what is said of them."""
