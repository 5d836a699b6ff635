"""`python -m docs.manual` writes the parts of docs/ that are made from the program, and the server's users."""

from docs.manual.pages import write
from docs.manual.server_users import write as write_users

write()
write_users()
