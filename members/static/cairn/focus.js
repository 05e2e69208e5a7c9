// Unfold hides the page until Alpine has started, and a browser gives no focus to what is hidden.
document.addEventListener("alpine:initialized", () => {
  requestAnimationFrame(() => {
    const wrong = document.querySelector(".has-errors input");
    (wrong ?? document.querySelector("[autofocus]"))?.focus();
  });
});
