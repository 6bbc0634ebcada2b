using Forebay.Core;

namespace Forebay.Testing;

/// <summary>The listing rule in its shortest form: the model other implementations are compared with.</summary>
public static class KeyListing
{
    /// <summary>One page of sorted objects.</summary>
    public static ListPage Page(IEnumerable<ObjectStat> sorted, ListQuery query)
    {
        List<ListEntry> entries = [];
        foreach (ObjectStat stat in sorted)
        {
            if (!stat.Key.StartsWith(query.Prefix, StringComparison.Ordinal))
            {
                continue;
            }

            int cut = string.IsNullOrEmpty(query.Delimiter) ? -1 : stat.Key.IndexOf(query.Delimiter, query.Prefix.Length, StringComparison.Ordinal);
            ListEntry entry = cut < 0 ? new ListEntry(stat.Key, stat) : new ListEntry(stat.Key[..(cut + query.Delimiter!.Length)], null);
            bool isRepeated = entries.Count > 0 && entries[^1].Name == entry.Name;
            if (isRepeated || (query.After is not null && KeyOrder.Compare(entry.Name, query.After) <= 0))
            {
                continue;
            }

            if (entries.Count == query.MaxEntries)
            {
                return new ListPage(entries, IsTruncated: true);
            }

            entries.Add(entry);
        }

        return new ListPage(entries, IsTruncated: false);
    }
}
