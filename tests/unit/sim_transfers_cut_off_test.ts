import { testTransfersStruck } from "./transfers_struck.ts";

testTransfersStruck("cut off");
