namespace Forebay.Core;

/// <summary>Finds what a mistyped name was probably meant to be.</summary>
public static class NearestName
{
    /// <summary>The known name with the fewest edits away, or null when none is near.</summary>
    /// <param name="name">As a person wrote it.</param>
    /// <param name="known">What there is.</param>
    /// <param name="mostEdits">How many edits away is near; null for a third of the name, two at least.</param>
    public static string? Find(string name, IEnumerable<string> known, int? mostEdits = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(known);
        string? nearest = null;
        int fewest = (mostEdits ?? Math.Max(2, name.Length / 3)) + 1;
        foreach (string candidate in known)
        {
            int edits = Distance(name, candidate);
            if (edits < fewest)
            {
                (nearest, fewest) = (candidate, edits);
            }
        }

        return nearest;
    }

    // Optimal string alignment (restricted Damerau–Levenshtein): a swap of neighbours counts once, as it is one slip of the fingers.
    private static int Distance(string a, string b)
    {
        int[,] cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            cost[i, 0] = i;
        }

        for (int j = 0; j <= b.Length; j++)
        {
            cost[0, j] = j;
        }

        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int change = a[i - 1] == b[j - 1] ? 0 : 1;
                int best = Math.Min(Math.Min(cost[i - 1, j] + 1, cost[i, j - 1] + 1), cost[i - 1, j - 1] + change);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    best = Math.Min(best, cost[i - 2, j - 2] + 1);
                }

                cost[i, j] = best;
            }
        }

        return cost[a.Length, b.Length];
    }
}
