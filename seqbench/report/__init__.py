"""From the store to tables, figures and pages: it reads records, runs nothing and never imports torch."""
