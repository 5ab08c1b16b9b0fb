"""What several figure commands share."""
