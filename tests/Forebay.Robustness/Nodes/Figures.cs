using System.Globalization;

namespace Forebay.Robustness.Nodes;

/// <summary>One reading of a node's <c>/metrics</c>.</summary>
internal sealed class Figures
{
    private readonly Dictionary<string, double> _sums;

    private Figures(Dictionary<string, double> sums) => _sums = sums;

    /// <summary>Sum of a metric over its labels; 0 when it is absent.</summary>
    public long this[string name] => (long)_sums.GetValueOrDefault("forebay_" + name);

    public static Figures Parse(string text)
    {
        Dictionary<string, double> sums = new(StringComparer.Ordinal);
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => line[0] != '#'))
        {
            int end = line.LastIndexOf(' ');
            int labels = line.IndexOf('{', StringComparison.Ordinal);
            string name = line[..(labels < 0 ? end : labels)];
            sums[name] = sums.GetValueOrDefault(name) + double.Parse(line[(end + 1)..], CultureInfo.InvariantCulture);
        }

        return new Figures(sums);
    }
}
