using System.Globalization;

namespace Forebay.Testing;

/// <summary>How many random cases a model is tried with: few in every run of the suite, as many as wanted in a hunt.</summary>
public static class RandomTests
{
    /// <summary>Environment variable: a whole number that multiplies the cases, 1 or more.</summary>
    public const string FactorVariable = "FOREBAY_RANDOM_TESTS";

    private static readonly int Factor = Environment.GetEnvironmentVariable(FactorVariable) is { Length: > 0 } text ? Parse(text) : 1;

    /// <summary>The number of cases now, where the suite's is <paramref name="cases"/>.</summary>
    /// <exception cref="InvalidOperationException">The variable is no number of 1 or more.</exception>
    public static int Of(int cases) => checked(cases * Factor);

    private static int Parse(string text)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int factor) && factor >= 1
            ? factor
            : throw new InvalidOperationException($"{FactorVariable} is '{text}': give a whole number of 1 or more.");
}
