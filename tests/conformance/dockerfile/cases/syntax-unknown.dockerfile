# syntax=example.com/mopy:3
apiVersion: v1
