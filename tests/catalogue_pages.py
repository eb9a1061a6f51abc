"""docs/catalogue/, the site of the shipped catalogue: `python -m tests.catalogue_pages`. A test says when it is old."""

from pathlib import Path

from contracts.edge.authoring import site

FOLDER = Path(__file__).parent.parent / "docs" / "catalogue"

if __name__ == "__main__":
    site.write(site.shipped(), FOLDER)
