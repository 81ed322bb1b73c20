"""Stand-ins for the programs and services that a build process talks to."""
