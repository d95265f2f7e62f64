"""What the HTML reporter is made of: charts, and the page that holds them."""
