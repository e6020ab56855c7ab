"""Asks GitHub who opened, approved and merged a pull request, which git does not know."""

from lifecycle.github import api


def people(number: int) -> str:
    """In words, who opened, approved and merged it; raises InputError if GitHub cannot be asked."""
    pull = api.call("GET", f"{api.root()}/pulls/{number}")
    reviews = api.listed(f"{api.root()}/pulls/{number}/reviews?per_page=100")
    approved = [one["user"]["login"] for one in reviews if one["state"] == "APPROVED" and one["user"]]
    said = [
        f"opened by {(pull.get('user') or {'login': 'a deleted account'})['login']}",
        f"approved by {', '.join(dict.fromkeys(approved)) or 'nobody'}",
        f"merged by {(pull.get('merged_by') or {'login': 'nobody that GitHub names'})['login']}",
    ]
    return ", ".join(said)
