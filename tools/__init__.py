"""Small programs behind the targets of the Makefile; nothing of the product imports them."""
