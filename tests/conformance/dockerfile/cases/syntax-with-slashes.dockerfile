// syntax=example.com/frontend:1
anything goes
