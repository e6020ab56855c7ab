// Copies a hash; where the browser lets no page copy, it selects the hash for the reader's own keys.
for (const button of document.querySelectorAll("button.copy")) {
  const text = button.previousElementSibling;
  const said = (word) => { button.textContent = word; setTimeout(() => { button.textContent = "Copy"; }, 2000); };
  const select = () => { getSelection().selectAllChildren(text); said("Selected"); };
  button.addEventListener("click", () => {
    if (!navigator.clipboard) return select();
    return navigator.clipboard.writeText(text.textContent).then(() => said("Copied"), select);
  });
}
