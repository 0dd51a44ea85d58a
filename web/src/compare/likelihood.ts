/** Words for probabilities, as the IPCC's guidance note on uncertainties (Mastrandrea et al. 2010) has them. */

export type Likelihood = "veryLikely" | "likely" | "even" | "unlikely" | "veryUnlikely";

export function likelihood(probability: number): Likelihood {
  if (probability >= 0.9) return "veryLikely";
  if (probability >= 0.66) return "likely";
  if (probability > 0.33) return "even";
  return probability > 0.1 ? "unlikely" : "veryUnlikely";
}
