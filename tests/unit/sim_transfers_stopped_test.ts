import { testTransfersStruck } from "./transfers_struck.ts";

testTransfersStruck("stopped");
