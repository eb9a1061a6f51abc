"""The HTTP interface: a thin edge around access, lookup and audit."""
