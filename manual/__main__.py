"""`python -m manual` writes the parts of docs/ that are made from the program, and the server's users."""

from manual.pages import write
from manual.server_users import write as write_users

write()
write_users()
