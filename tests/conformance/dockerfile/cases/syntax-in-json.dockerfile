{"syntax": "example.com/frontend:2", "x": 1}
