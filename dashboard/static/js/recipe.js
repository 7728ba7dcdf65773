/* Recipe: shows the versions, platforms, data types and algorithms that fit the chosen toolkit, and of the other settings
   those that it takes for them; the server checks them all. */
const offers = JSON.parse(document.getElementById("recipe-offers").textContent);
const rules = JSON.parse(document.getElementById("recipe-rules").textContent);
const field = (name) => document.getElementById(`id_${name}`);

function show(select, allowed) {
  for (const option of select.options) {
    option.hidden = option.disabled = !allowed.includes(option.value);
  }
  if (!allowed.includes(select.value)) { select.value = allowed[0]; }
}

function take(name, isTaken) {
  field(name).disabled = !isTaken;  // what is disabled is not sent
  field(name).closest("div").hidden = !isTaken;
}

function narrowMore() {
  const rule = rules[field("toolkit").value][field("platform").value][field("dtype").value];
  show(field("optimization_level"), rule.levels.map(String));
  take("calibration", rule.is_calibrated);
  take("method", rule.methods.length > 0);
  if (rule.methods.length > 0) { show(field("method"), ["", ...rule.methods]); }
  take("batch", rule.batch > 1);
  take("calibration_batch", rule.calibration_batch > 0);
  take("precompile", rule.precompile);
  take("propose", rule.proposes);
  take("histograms", rule.histograms);
  take("hybrid", rule.layer_dtypes.length > 0);
  field("hybrid").placeholder = rule.layer_dtypes.map((dtype) => `layer = ${dtype}`).join("\n");
  take("extra", rule.extra);
}

function narrowOn() {
  const offer = offers[field("toolkit").value][field("toolkit_version").value];
  show(field("algorithm"), offer.algorithms[field("dtype").value]);
  narrowMore();
}

function narrow() {
  const versions = offers[field("toolkit").value];
  show(field("toolkit_version"), Object.keys(versions));
  const offer = versions[field("toolkit_version").value];
  show(field("platform"), Object.keys(offer.dtypes));
  show(field("dtype"), offer.dtypes[field("platform").value]);
  narrowOn();
}

for (const name of ["toolkit", "toolkit_version", "platform"]) { field(name).addEventListener("change", narrow); }
field("dtype").addEventListener("change", narrowOn);
narrow();
