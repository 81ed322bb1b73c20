"""PURE of Pants. What do URLs and Git repositories give now?"""
