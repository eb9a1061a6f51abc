"""A static site about evidence types and service items, in each language: building its pages. Pure.

`site.build` takes a `Shelf` and returns the files by path; `contracts.edge.authoring.site` reads and writes them.
"""
