"use strict";
// Attributes measured on pictures. Filled in below for the data sets whose attributes can be.

const measurers = {};
