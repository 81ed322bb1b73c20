"""Measure the plugin beside what it is compared with, and print one table."""
