using Forebay.Core;
using Forebay.Engine;

namespace Forebay.FileSystem;

/// <summary>Decides whether files are asked for their headers: sources whose objects carry no modes and owners are spared the questions. Thread-safe.</summary>
internal sealed class AttributeRule(ObjectAttributes rule)
{
    /// <summary>Files whose headers decide.</summary>
    internal const int Samples = 16;

    private int _seen;
    private int _markersAsked;
    private volatile bool _found = rule == ObjectAttributes.Always;

    /// <summary>What to ask for when a name is looked up.</summary>
    internal NameDetail Lookup => rule == ObjectAttributes.Ignore ? NameDetail.Listed
        : _found || IsLearning ? NameDetail.Headers
        : NameDetail.HeadersIfAsked;

    /// <summary>True until enough headers were seen to know.</summary>
    internal bool IsLearning => rule == ObjectAttributes.Auto && !_found && Volatile.Read(ref _seen) < Samples;

    /// <summary>True until enough markers of directories were asked for too: a bucket may show directories first.</summary>
    internal bool AreMarkersSamples => IsLearning && Volatile.Read(ref _markersAsked) < Samples;

    /// <summary>True when a listing cannot tell what a file or directory shows.</summary>
    internal bool ListingsLack => _found && rule != ObjectAttributes.Ignore;

    /// <summary>Attributes and kind of an object; takes note of what its headers say.</summary>
    internal InodeAttributes Read(ObjectStat stat, out InodeKind kind)
    {
        InodeAttributes attributes = ObjectAttributeReader.Read(stat, rule, out kind);
        if (attributes.AreFromHeaders && !_found)
        {
            Interlocked.Increment(ref _seen);
            NoteFound(attributes);
        }

        return attributes;
    }

    /// <summary>Attributes of a directory by its marker; takes note of what its headers say.</summary>
    /// <param name="marker">Null where there is none.</param>
    /// <param name="otherwise">What then holds.</param>
    internal InodeAttributes ReadMarker(ObjectStat? marker, in InodeAttributes otherwise)
    {
        InodeAttributes attributes = marker is null ? otherwise with { AreFromHeaders = true } : ObjectAttributeReader.ReadMarker(marker, rule);
        if (marker is not null)
        {
            NoteFound(attributes);
        }

        return attributes;
    }

    /// <summary>True when the marker of a directory may be asked for; as a sample it counts from here on.</summary>
    internal bool TryAskForMarker() => ListingsLack || (AreMarkersSamples && Interlocked.Increment(ref _markersAsked) <= Samples);

    // Never taken back: several may look at the same time.
    private void NoteFound(in InodeAttributes attributes)
    {
        if (attributes.Mode != InodeAttributes.Unknown || attributes.Uid != InodeAttributes.Unknown || attributes.Gid != InodeAttributes.Unknown)
        {
            _found = true;
        }
    }
}
