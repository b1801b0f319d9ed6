"""What a family is told of its case: the explanation, and the letter on paper."""
