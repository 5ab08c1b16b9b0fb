"""The samples that networks are measured on: images, prompts, questions."""
