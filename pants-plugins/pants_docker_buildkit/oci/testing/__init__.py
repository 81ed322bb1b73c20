"""What tests of parsers of untrusted input share."""
