"""The chat page as tests use it: connecting, asking, and what an answer shows."""

import re


def connected(page, state: str = "live") -> None:
    page.locator(f"#connection[data-state={state}]").wait_for()


def ask(page, prompt: str, model: str = "witness") -> None:
    page.locator("#model").select_option(model)
    page.get_by_role("textbox", name="Message").fill(prompt)
    page.keyboard.press("Enter")


def answer(page):
    return page.get_by_role("article", name="Answer").last


def ended(page, seconds: float = 30) -> None:
    page.locator("article.answer:not(.is-running)").last.wait_for(timeout=seconds * 1000)


def words(page) -> list[str]:
    """Those of the witness."""
    return re.findall(r"w\d{5}", answer(page).inner_text())


def order(page) -> list[str]:
    """What stands in the answer, from top to bottom: `text`, or the name of a tool."""
    kinds = (
        answer(page)
        .locator(".answer-body > *")
        .evaluate_all(
            "all => all.filter(one => one.textContent.trim() !== '').map(one => one.dataset.tool ?? (one.matches('.md') ? 'text' : one.className))"
        )
    )
    return list(kinds)


def fact(card, name: str) -> str:
    """What an open card says: `arguments`, `decision`, `result`, `error`. Also while it is closed."""
    return card.locator(f":scope > .tool-body > [data-fact={name}] pre").text_content()
