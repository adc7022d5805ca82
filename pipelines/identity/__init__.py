"""One customer across channels: normal forms, links, vetoes, components and stable ids."""
