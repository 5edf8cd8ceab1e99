"use strict";
// The decoder behind the front page's sliders, written by compendium/playground/live.py; the page loads it when one is first touched.
window.live = (() => {
const panel = {{ panel }};
const program = {{ program }};
{{ decoder }}
return imageDecoder(program, unpack("{{ weights }}", program.tensors));
})();
