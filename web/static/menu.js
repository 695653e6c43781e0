// The console's menu is folded where it would stand above the page: in the hand. Without this script it is open.
"use strict";

if (!matchMedia("(min-width: 60rem)").matches) document.querySelector(".side details").open = false;
