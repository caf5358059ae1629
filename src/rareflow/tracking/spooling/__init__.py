"""What happens to a run whose tracking server goes away: it goes on in a spool, from which it is uploaded."""
