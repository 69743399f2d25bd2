"""What the service answers: routes, the forms they read and the pages they give."""
