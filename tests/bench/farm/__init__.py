"""The farm under load: many simulated boards, thousands of short runs, every part of the product for real."""
