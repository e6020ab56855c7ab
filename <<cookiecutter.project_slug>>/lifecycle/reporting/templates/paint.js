// Plots in the page's colours, light or dark, as the reader's system asks.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paint = () => {
    const style = getComputedStyle(document.documentElement);
    const [ink, paper, line] = ["--ink", "--paper", "--line"].map(name => style.getPropertyValue(name).trim());
    for (const plot of document.querySelectorAll(".plotly-graph-div")) {
      const colours = {paper_bgcolor: paper, plot_bgcolor: paper, "font.color": ink, "hoverlabel.font.color": ink};
      for (const axis of Object.keys(plot.layout ?? {}).filter(name => /^[xy]axis\d*$/.test(name))) {
        Object.assign(colours, {[`${axis}.gridcolor`]: line, [`${axis}.linecolor`]: line, [`${axis}.zerolinecolor`]: line});
      }
      Plotly.relayout(plot, colours);
    }
  };
  addEventListener("load", paint);
  dark.addEventListener("change", paint);
  addEventListener("beforeprint", paint);
})();
