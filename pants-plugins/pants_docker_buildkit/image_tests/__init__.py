"""Structure tests of images: what they say, how BuildKit runs them, and what came of them."""
