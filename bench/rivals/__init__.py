"""Other software that answers the same questions, set up by the bench itself and measured beside ours.

``sources`` are the people, in SQLite, PostgreSQL and slapd, for everybody the same. ``privacyidea``, ``dovecot`` and
``php`` run the rivals, ``ours`` runs the server of this tree, ``lists`` and ``logins`` measure. What is done
in favour of a rival is said in its module.
"""
