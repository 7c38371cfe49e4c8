/** Starts the page with the model inside it. */
{
  const text = (id) => document.getElementById(id).textContent;
  startPlayground(new OfflineBackend(JSON.parse(text("model-content")), text("model-weights")));
}
