/** Talks to the server that the page comes from. */
