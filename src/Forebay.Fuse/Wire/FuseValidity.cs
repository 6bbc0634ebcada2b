namespace Forebay.Fuse;

/// <summary>Turns a time into the pair the kernel wants. Negative times count as zero; 68 years and more as for ever.</summary>
internal static class FuseValidity
{
    /// <summary>The kernel keeps time-outs in its ticks; what is larger than this would only be cut there.</summary>
    private const ulong LongestSeconds = int.MaxValue;

    internal static (ulong Seconds, uint Nanoseconds) Split(TimeSpan time)
    {
        if (time <= TimeSpan.Zero)
        {
            return (0, 0);
        }

        ulong seconds = (ulong)(time.Ticks / TimeSpan.TicksPerSecond);
        return seconds >= LongestSeconds ? (LongestSeconds, 0) : (seconds, (uint)(time.Ticks % TimeSpan.TicksPerSecond) * 100);
    }
}

public partial struct FuseEntryOut
{
    /// <summary>Sets how long the name and the attributes may be taken from the kernel's cache.</summary>
    /// <param name="entry">For the name; zero or less for not at all, <see cref="TimeSpan.MaxValue"/> for ever.</param>
    /// <param name="attributes">For the attributes, likewise.</param>
    public void SetValidity(TimeSpan entry, TimeSpan attributes)
    {
        (EntryValidSeconds, EntryValidNanoseconds) = FuseValidity.Split(entry);
        (AttrValidSeconds, AttrValidNanoseconds) = FuseValidity.Split(attributes);
    }
}

public partial struct FuseAttrOut
{
    /// <summary>Sets how long the attributes may be taken from the kernel's cache; zero or less for not at all.</summary>
    public void SetValidity(TimeSpan attributes) => (ValidSeconds, ValidNanoseconds) = FuseValidity.Split(attributes);
}

public partial struct FuseStatxOut
{
    /// <summary>Sets how long the attributes may be taken from the kernel's cache; zero or less for not at all.</summary>
    public void SetValidity(TimeSpan attributes) => (ValidSeconds, ValidNanoseconds) = FuseValidity.Split(attributes);
}
